chop_lib(crypto SOURCES crypto_hash.c crypto_key.c crypto_pem.c crypto_sign.c crypto_aead.c crypto_hpke.c crypto_x509.c
  PUBLIC chop_base PRIVATE chop_pkg_openssl)
target_compile_definitions(chop_crypto PRIVATE OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED)
