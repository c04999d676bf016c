"""microGPT: a small character-level GPT written from scratch, and tools to study it.

The package itself exports only its version, so that importing a module loads no more than that
module needs. README.md shows the calls that most programs need.
"""

__version__ = "0.2.0"
