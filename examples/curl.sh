#!/bin/sh
# A stream with curl against a running `npm start`. Usage: sh examples/curl.sh [URL]
url=${1:-http://127.0.0.1:8080}
curl --no-buffer --fail-with-body "$url/v1/chat/completions" \
  -H 'content-type: application/json' \
  -d '{"model":"default","messages":[{"role":"user","content":"Say hello."}],"max_tokens":32,"stream":true}'
