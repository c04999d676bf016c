"""microGPT: a small character-level GPT written from scratch, made to be looked into.

The package itself exports nothing but its version, so that importing a part of it loads no more
than that part needs. README.md shows the calls that most programs need.
"""

__version__ = "0.2.0"
