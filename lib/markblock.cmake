chop_pkg(qrencode libqrencode)
# zint ships no pkg-config file.
find_library(ZINT_LIBRARY zint REQUIRED)
chop_lib(markblock SOURCES markblock.c markblock_text.c PUBLIC chop_outline PRIVATE chop_pkg_qrencode ${ZINT_LIBRARY})
