"""The database's history, one file a step; `database.migrate` applies what is missing."""
