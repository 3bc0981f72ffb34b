chop_lib(trust SOURCES trust.c trust_sign.c trust_device.c trust_types.c PUBLIC chop_crypto chop_pb)
