"""Threads: those that workers run on, how they meet, and who works on what."""
