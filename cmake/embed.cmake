# Turns a file into a C string; run by chop_embed().
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" hex "${hex}")
string(REGEX REPLACE "((\\\\x..){20})" "\\1\"\n\"" hex "${hex}")
file(WRITE ${OUT}.h "#pragma once\n#include <stddef.h>\nextern const char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n")
file(WRITE ${OUT}.c "#include \"${OUT}.h\"\nconst size_t ${SYMBOL}_len = ${bytes};\nconst char ${SYMBOL}[] =\n\"${hex}\";\n")
