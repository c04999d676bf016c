"""microGPT: a small character-level GPT written from scratch, and what is needed to look inside it."""
