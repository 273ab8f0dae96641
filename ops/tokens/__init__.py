"""`tallymill token`: the local issuer and its tokens."""
