// The precompiled Catch2 header is built with this file; catch_main.cpp needs it uncompiled for CATCH_CONFIG_MAIN.
