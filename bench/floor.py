"""The ingress against the floor under any ingress in Python: bench.ingress with these two subjects alone.

    python -m bench.floor --rounds 3 --seconds 10

The floor (bench/rivals/floor.py) is a bare ASGI app on the same server that sends the same body and headers with the
same producer, and answers. What the ingress takes beside this is its own.
"""

from bench.ingress import main

if __name__ == "__main__":
    main(("acked", "floor"))
