#!/bin/sh
# Simulated power cuts and failing calls of the disk (reliability.md T2, T4, T6): power_loss.sh SOURCE BUILD [STATES] [STEP].
# 2,000,000 states: power_loss.sh . build/release 2000000 1
set -e
"${2:?build folder}/crash_power_loss" power --states "${3:-20000}"
"$2/crash_power_loss" faults --step "${4:-7}"
