-- Record what was told to Twilio while the ledger could not be asked, or did not answer in time
-- (R12). The ledger may have decided all the same: what Twilio was told counts.
-- KEYS[9] call
-- ARGV[5] CallSid   ARGV[6] the account's number   ARGV[7] seconds a call is kept
-- ARGV[8] what was told: 'answer' or 'drop'   ARGV[9] 'outbound', or '' for an inbound call
-- Replies
--   {'unknown_account'}
--   {'recorded'}   the call was not known; it is debited when it completes, if it was answered
--   {'agreed'}     the ledger knows the call and nothing needs to change
--   {'answered'}   the ledger had dropped it; it is debited when it completes
--   {'debited'}    it has completed already, and was answered: debited now
--   {'released'}   the ledger had debited it, but it was dropped: the credit went back
-- Writes the call; for a release also the bucket and an entry.

local known = redis.call('GET', KEYS[9])
local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local told = ARGV[8] == 'answer' and 'A' or 'D'

if not known then
  redis.call('SET', KEYS[9], 'o' .. told .. 'lun0 ' .. explain(account, false), 'EX', ARGV[7])
  return { 'recorded' }
end

local state, decision = string.sub(known, 1, 1), string.sub(known, 2, 2)
if decision == told then return { 'agreed' } end
local rest = 'lun0' .. string.sub(known, 7)

if told == 'A' then
  if state == 'e' then
    debit(account, KEYS[9], ARGV[7], 'k', 'lu', 'ledger_unreachable', ARGV[6], ARGV[5],
      ARGV[9])
    return { 'debited' }
  end
  if state ~= 'o' then return { 'agreed' } end
  redis.call('SET', KEYS[9], 'oA' .. rest, 'KEEPTTL')
  return { 'answered' }
end

if string.sub(known, 6, 6) == '0' or state == 'r' then return { 'agreed' } end
release(account, known, ARGV[5], ARGV[8], ARGV[6], '', ARGV[9])
redis.call('SET', KEYS[9], (state == 'o' and 'o' or 'r') .. 'D' .. rest, 'KEEPTTL')
return { 'released' }
