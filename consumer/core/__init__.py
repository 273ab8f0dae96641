"""What a worker decides: decode, judge, dedupe, bucket, aggregate, plan, policy. No I/O, no clock, no client."""
