"""How a model is executed on a device: one module a runtime, behind one protocol (`backends.base`)."""
