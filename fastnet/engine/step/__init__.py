"""The training step: its memory, programs, phases, the first layer in floats or fixed point, update rules."""
