"""The people's side: provenance, pay and audit. Plain domain code that knows neither torch nor HTTP."""
