#!/usr/bin/env bash
# A season of the programme: invite, accept, make, ask, refuse, appeal, overturn, release, log hours, pay, report, revoke.
#
# In one terminal:  lanterne serve                      In another, with the same home folder:  bash docs/season.sh
#
# What operators and reviewers do, they do here at the server's machine, with --by for who acts; all of it works over HTTP, too. What Ana
# does, she does over HTTP from anywhere, as her browser would. docs/programme.md goes through the same steps with what they answer.
set -euo pipefail

docs=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)  # for the files of this season
cd "$place"

step() { printf '\n## %s\n' "$1"; }
second() { awk '{print $2}'; }
first() { awk 'NR == 1 {print $1}'; }
field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }                    # field "['id']" of an answer
web() { curl --silent --show-error --fail-with-body --header "content-type: application/json" "$@"; }
ana() { web --cookie ana.cookies "$@"; }                                                      # Ana's browser, once she signed in

step "People: two operators and three reviewers, so that nobody has to judge twice"
lanterne people add Olga olga@example.org --role operator --id olga --by olga
lanterne people add Otto otto@example.org --role operator --id otto --by olga
for name in rita ron ruth; do lanterne people add "$name" "$name@example.org" --role reviewer --id "$name" --by olga; done

step "Pay, terms and policy"
lanterne ledger card artists --by olga --rate hours=35.00 --rate bug=50 --rate feedback=15 --rate use=200
echo "You make videos and tell us what is wrong with the machine. What you make is yours." > terms.txt
lanterne policy publish "$docs/review-policy.toml" --by olga
lanterne cohort open spring --by olga --terms terms.txt --ends 2027-12-31 --videos 50 --seconds 600

step "Ana is invited, reads terms and pay, and accepts exactly those"
link=$(lanterne invite send spring ana@example.org --by olga | second)
server=${link%/programme/*}
web "$link" | field "['offer']['text']"
terms=$(web "$link" | field "['offer']['sha256']")
web "$link/accept" --data "{\"sha256\": \"$terms\", \"name\": \"Ana\", \"password\": \"correct horse\"}" | field "['person_id']"
web "$server/programme/session" --cookie-jar ana.cookies --data '{"email": "ana@example.org", "password": "correct horse"}' | field "['person_id']"
key=$(ana "$server/programme/keys" --data '{"cohort": "spring", "name": "laptop"}' | field "['key']")

step "Ana makes a video; the file says who made it, and with what"
api() { web --header "authorization: Bearer $key" "$@"; }
video=$(api "$server/v1/videos" --data '{"prompt": "a lake at dawn, fog", "seconds": "1", "size": "256x144"}' | field "['id']")
until [ "$(api "$server/v1/videos/$video" | field "['status']")" = completed ]; do sleep 1; done
api "$server/v1/videos/$video/content" --output lake.mp4
lanterne verify lake.mp4

step "Ana asks to show it; two reviewers refuse, each with a ground, reasons and time codes"
request=$(ana "$server/programme/requests" --data "{\"video_id\": \"$video\"}" | field "['id']")
lanterne review queue --by rita
lanterne review claim "$request" --by rita --output to-look-at.mp4
lanterne review refuse "$request" --by rita --ground 4 --explanation "It looks like a recording of the flood." --at 0-1
lanterne review claim "$request" --by ron
lanterne review refuse "$request" --by ron --ground 4 --explanation "It could be taken for the news." --at 0.5-1
ana "$server/programme/requests/$request" | field "['reasons'][0]['incompatible_content_explanation']"

step "Ana appeals; somebody who has not looked yet overturns the refusal"
ana "$server/programme/requests/$request/appeal" --data '{"words": "It is a lake, and the file says that it was made."}' | field "['state']"
lanterne review claim "$request" --by ruth
lanterne review approve "$request" --by ruth --explanation "Nothing in it refers to an event."

step "Ana shows it; anybody finds it, and can check it"
ana "$server/programme/requests/$request/publish" --data '{"title": "Lake", "credit": "Ana"}' | field "['state']"
web "$server/programme/public" | field "['data'][0]['title']"
web "$server/programme/public/$request/video" --output public.mp4
lanterne verify public.mp4

step "Ana says what she thinks of it, reports a bug, and allows nothing else to be done with her videos than she wants"
ana "$server/programme/videos/$video/feedback" --data '{"rating": 4, "notes": [{"from": 0.5, "to": 1, "words": "It jumps here."}]}' | field "['id']"
bug=$(ana "$server/programme/bugs" --data '{"title": "Fog flickers", "words": "Every second frame.", "credit": "name"}' | field "['id']")
lanterne feedback decide "$bug" confirmed --by olga
echo "We may train the machine on your videos and prompts, until you say no." > training.txt
lanterne consent publish training --by olga --text training.txt
words=$(ana "$server/programme/consents" | field "['data'][0]['asked']['sha256']")
ana "$server/programme/consents/training" --data "{\"sha256\": \"$words\"}" | field "['purpose']"
ana "$server/programme/consents/training" --request DELETE | field "['purpose']"

step "Ana logs her hours; Olga accepts less and says why; Ana disputes it, and Otto decides"
work=$(ana "$server/programme/work" --data '{"kind": "hours", "hours": "2:20", "note": "tested lakes"}' | field "['id']")
lanterne pay entries --waiting
lanterne pay decide "$work" --by olga --accept 70 --reason "The twenty minutes were a break."
ana "$server/programme/work/$work/dispute" --data '{"statement": "They were not."}' | field "['state']"
lanterne pay decide "$work" --by otto

step "Ana is paid by a bank file, which is written once, and reads her statement"
ana "$server/programme/payee" --data '{"name": "Ana Müller", "iban": "DE89370400440532013000"}' | field "['name']"
export LANTERNE_PAYER_NAME=Studio LANTERNE_PAYER_IBAN=DE02120300000000202051
payout=$(lanterne pay payout --by olga | first)
lanterne pay export "$payout" --by olga
lanterne pay settle "$payout" --by olga
ana "$server/programme/statements/html" --output statement.html
lanterne pay arrears

step "Anybody can count what happened, and that nothing was changed since"
lanterne report --output report
lanterne report --check report/report.json
lanterne report --check report/report.json --log report/log.jsonl --key "$(lanterne audit key)"
lanterne audit verify
web "$server/programme/report.json" | field "['log']['root']"

step "Ana gets all that is kept about her; then her key is found in public, and cut"
ana "$server/programme/me/export" --output ana.zip
key_id=$(ana "$server/programme/me" | field "['keys'][0]['id']")
lanterne revoke key "$key_id" --by olga --reason "It was found in a public repository."
sleep 1
api "$server/v1/models" || echo "The key opens nothing more."
ana "$server/programme/me" | field "['keys'][0]['state']"  # Ana herself is still in

step "The files of this season are in $place"
ls
