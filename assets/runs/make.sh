#!/usr/bin/env bash
# Make the runs that need a GPU, in order of worth, each into OUT/NAME; what is there is kept.
#
#   bash assets/runs/make.sh TEXT OUT [OPTION ...]     OPTION goes to every run, as --set steps=20
#
# TEXT is the corpus. Recipes are compared on a slice of its training split only: `choose-*` runs
# see the first 90 % of the text, so that its own last 10 % is what they are judged by.
set -euo pipefail
text=$1 out=$2
shift 2
mkdir -p "$out"
head -c "$(($(wc -c <"$text") * 9 / 10))" "$text" >"$out/train-split.txt"

run() { # NAME TEXT OPTION ...
    local name=$1 data=$2
    shift 2
    [ -e "$out/$name" ] && return
    local resume=()
    [ -e "$out/$name.state/state.pt" ] && resume=(--resume)
    python3 -m microgpt.train --data "$data" --out "$out/$name" "$@" "${resume[@]}" \
        2>"$out/$name.log" || { tail -1 "$out/$name.log" && exit 1; }
    echo "$name: $(grep -o 'val_loss_full [0-9.]*' "$out/$name.log"), $(grep 'matmul' "$out/$name.log")"
}

run seed "$text" --preset seed --compile --set precision=bfloat16 "$@"

muon=(--preset cpu --compile --set precision=bfloat16 --set batch_size=64 --set eval_batches=20)
for steps in 1500 3000; do
    for dropout in 0.2 0.3 0.4; do
        run "choose-$steps-$dropout" "$out/train-split.txt" "${muon[@]}" --set ema_decay=0.99 \
            --set log_interval=25 --set eval_interval=250 --set steps=$steps \
            --set dropout=$dropout "$@"
    done
done
