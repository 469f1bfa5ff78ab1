"""The dialect of Sarv DeepCall Masking."""
