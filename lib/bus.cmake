chop_lib(bus SOURCES bus.c bus_call.c PUBLIC chop_base PRIVATE chop_log chop_pkg_nats)
