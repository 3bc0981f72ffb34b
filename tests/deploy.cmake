# What is deployed, checked without a container engine.
add_test(NAME compose COMMAND ${CMAKE_SOURCE_DIR}/tests/compose.sh)
set_tests_properties(compose PROPERTIES LABELS unit TIMEOUT 60)
