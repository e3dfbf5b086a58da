#!/bin/sh
# 200,000 messages: every kind of query is answered by its index, and the index follows. Times are measured by bench_search alone on a
# quiet machine; here they only must not be those of reading everything.
#
#   search.sh SOURCE BUILD
exec "$2/bench_search" --messages 200000 --seconds 3 --patience 30
