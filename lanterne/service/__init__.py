"""The Videos API: HTTP in front of the road, with jobs that survive whatever happens to the processes."""
