#!/bin/sh
# lm-evaluation-harness (pip install 'lm-eval[api]') against a running `npm start`: two tasks of eight questions that nobody has to download.
# Usage: INWARD_API_KEY=... sh examples/lm-eval/run.sh [URL] [more options of lm_eval]
set -e
case ${1:-} in -h | --help) sed -n '2,3s/^# //p' "$0" && exit ;; esac
url=${1:-http://127.0.0.1:8080}
[ $# -gt 0 ] && shift
cd "$(dirname "$0")"
# The tokenizer of the harness takes its key as an argument only, and arguments are in the process list, in its log and in its results.
harness='import os
from lm_eval import utils
from lm_eval.__main__ import cli_evaluate
tokenizer = utils.RemoteTokenizer
utils.RemoteTokenizer = lambda *given: tokenizer(*given[:4], auth_token=os.environ["OPENAI_API_KEY"])
cli_evaluate()'
OPENAI_API_KEY=$INWARD_API_KEY exec "${PYTHON:-python3}" -c "$harness" run --model local-completions \
  --model_args "base_url=$url/v1/completions,model=default,tokenizer_backend=remote" --include_path . --tasks inward_choice,inward_words "$@"
