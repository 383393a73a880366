import os

# The pictures in these tests are so small that threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
