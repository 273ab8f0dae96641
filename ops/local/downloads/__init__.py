"""What local servers run from: downloaded once, checked by hash, kept in the cache folder."""
