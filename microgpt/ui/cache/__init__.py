"""All caches of the app; no other module in ui/ calls st.cache_*.

All visitors share the caches, and their sizes are limited. The cache key of a checkpoint is its
fingerprint, so that two checkpoints never share a result. Each module holds the results of one
kind; `results` says how they are kept.
"""
