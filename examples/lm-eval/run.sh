#!/bin/sh
# lm-evaluation-harness (pip install 'lm-eval[api]') against a running `npm start`: two tasks of eight questions that nobody has to download.
# Usage: INWARD_API_KEY=... sh examples/lm-eval/run.sh [URL] [more options of lm_eval]
set -e
case ${1:-} in -h | --help) sed -n '2,3s/^# //p' "$0" && exit ;; esac
url=${1:-http://127.0.0.1:8080}
[ $# -gt 0 ] && shift
cd "$(dirname "$0")"
arguments="base_url=$url/v1/completions,model=default,auth_token=$INWARD_API_KEY,tokenizer_backend=remote"
OPENAI_API_KEY=$INWARD_API_KEY exec "${PYTHON:-python3}" -m lm_eval run --model local-completions --model_args "$arguments" \
  --include_path . --tasks inward_choice,inward_words "$@"
