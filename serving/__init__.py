"""What the processes that serve HTTP, the ingress and the console, have in common."""
