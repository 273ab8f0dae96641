"""HTTP requests that a process sends, and what errors of the network mean."""
