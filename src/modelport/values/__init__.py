"""Plain data: usage, generations, messages, prompt values and errors; imports nothing of modelport."""
