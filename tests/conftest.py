import os

# The pictures in these tests are so small that threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from nfcodec.fitting.engines import has_cuda_device

if not has_cuda_device():  # Triton's kernels then run in its interpreter; it wants to know before it is imported
    os.environ["TRITON_INTERPRET"] = "1"
