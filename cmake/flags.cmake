# Warnings are errors everywhere; hardening in release; sanitizers by choice.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
add_library(desk_flags INTERFACE)
target_compile_definitions(desk_flags INTERFACE _GNU_SOURCE)

function(desk_flag flag)
    string(MAKE_C_IDENTIFIER "has${flag}" name)
    check_c_compiler_flag(${flag} ${name})
    if(${name})
        target_compile_options(desk_flags INTERFACE ${flag})
    endif()
endfunction()

foreach(flag -Wall -Wextra -Werror -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes
        -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wimplicit-fallthrough -Wcast-qual
        -Wbidi-chars=any -Wtrampolines -Wnull-dereference -fno-strict-aliasing -fno-strict-overflow
        -fno-delete-null-pointer-checks -fstack-protector-strong -g)
    desk_flag(${flag})
endforeach()

if(FRONTDESK_STOP_POINTS)
    target_compile_definitions(desk_flags INTERFACE FRONTDESK_STOP_POINTS=1)
else()
    target_compile_definitions(desk_flags INTERFACE FRONTDESK_STOP_POINTS=0)
endif()

# A sanitizer's report names functions and lines. For variables in a debugger, and a sixth longer to compile:
# cmake --preset debug -DFRONTDESK_DEBUG_INFO=2.
set(FRONTDESK_DEBUG_INFO 1 CACHE STRING "level of -g in the sanitizer builds, 1 to 3")

if(FRONTDESK_SANITIZE)
    target_compile_options(desk_flags INTERFACE -fsanitize=${FRONTDESK_SANITIZE}
        -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g${FRONTDESK_DEBUG_INFO})
    target_link_options(desk_flags INTERFACE -fsanitize=${FRONTDESK_SANITIZE})
    if(FRONTDESK_SANITIZE MATCHES thread)
        add_library(desk_threads SHARED ${CMAKE_SOURCE_DIR}/tests/tsan_threads.c)
        target_link_options(desk_flags INTERFACE -Wl,--no-as-needed)
        target_link_libraries(desk_flags INTERFACE desk_threads)
    endif()
    # A fifth of the time, for more than a hundred unit programs.
    check_linker_flag(C -fuse-ld=gold has_gold)
    if(has_gold AND NOT FRONTDESK_FUZZ)
        target_link_options(desk_flags INTERFACE -fuse-ld=gold)
    endif()
elseif(CMAKE_BUILD_TYPE STREQUAL Release)
    foreach(flag -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
        desk_flag(${flag})
    endforeach()
    target_compile_options(desk_flags INTERFACE -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    target_link_options(desk_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
set(CMAKE_C_FLAGS_RELEASE "")
set(CMAKE_C_FLAGS_DEBUG "")
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
