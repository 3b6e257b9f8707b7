"""Training a code model on a run's dataset: loading and packing, fill-in-the-middle, the MQA model, the loop."""
