"""`tallymill canary`: sends one small batch after the other through the ingress, and checks that each counts once."""
