import os

# Set before TensorFlow is imported: its start-up notes are no test output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
