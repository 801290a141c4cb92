module servette.invalid/bench

go 1.19
