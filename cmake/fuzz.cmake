# Coverage-guided fuzz targets (libFuzzer: clang alone has it), with the sanitizers of debug. tests/fuzz/NAME.c is
# the target fuzz-NAME. Only what they read is built for them, and instrumented; the loop's and the network's part is
# played by the target.
if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "the preset fuzz needs clang")
endif()

desk_glob(fuzz_sources common/base/*.c common/loop/*.c common/json/*.c common/html/*.c common/crypto/*.c
    common/mail/*.c)
# What speaks to a network by itself.
list(FILTER fuzz_sources EXCLUDE REGEX "/common/mail/(smtp|oauth|login|sent_copy)")
# A target gets what it calls, and no more.
add_library(fuzz_code STATIC ${fuzz_sources})
target_include_directories(fuzz_code PUBLIC common tests)
target_compile_options(fuzz_code PUBLIC -fsanitize=fuzzer-no-link -Wno-error)
target_link_libraries(fuzz_code PUBLIC desk_flags desk_libraries desk_mail_libraries)

desk_glob(fuzz_targets tests/fuzz/*.c)
foreach(source ${fuzz_targets})
    get_filename_component(name ${source} NAME_WE)
    add_executable(fuzz-${name} ${source})
    target_link_libraries(fuzz-${name} PRIVATE fuzz_code -fsanitize=fuzzer -Wl,--as-needed)
endforeach()
