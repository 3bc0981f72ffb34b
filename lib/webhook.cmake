chop_lib(webhook SOURCES webhook.c PUBLIC chop_crypto)
