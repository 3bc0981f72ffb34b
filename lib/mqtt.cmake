chop_pkg(mosquitto libmosquitto)
chop_lib(mqtt SOURCES mqtt.c PUBLIC chop_base PRIVATE chop_pkg_mosquitto)
