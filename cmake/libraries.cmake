# The third-party libraries, all Debian packages (deploy/local/packages.txt).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(desk_pkg REQUIRED IMPORTED_TARGET
    rdkafka libpq libcurl libcjson openssl libsodium libuv yaml-0.1 libxml-2.0)
add_library(desk_libraries INTERFACE)
target_link_libraries(desk_libraries INTERFACE PkgConfig::desk_pkg civetweb Threads::Threads m)
# For desk_mail alone.
pkg_check_modules(desk_mail_pkg REQUIRED IMPORTED_TARGET gmime-3.0 libesmtp-1.0)
add_library(desk_mail_libraries INTERFACE)
target_link_libraries(desk_mail_libraries INTERFACE PkgConfig::desk_mail_pkg)
