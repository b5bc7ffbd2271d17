"""The people's side: pay, and an audit log that anyone can check. Plain domain code; it knows neither torch nor HTTP."""
