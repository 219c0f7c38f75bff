-- Settle a call at its end (R2). The first end that arrives wins. An end of a call that the ledger
-- has no decision of is noted, and costs nothing unless the call was let through without it (R12).
-- KEYS[9] call
-- ARGV[5] CallSid   ARGV[6] the account's number   ARGV[7] seconds a call is kept
-- ARGV[8] terminal CallStatus   ARGV[9] duration, s, or ''
-- ARGV[10] '1': a completed call that the ledger never saw was let through and is debited (R12)
-- ARGV[11] 'outbound', or '' for an inbound call
-- Replies
--   {'unknown_account'}, {'cycle_over', …}
--   {'repeated' | 'kept' | 'released' | 'closed' | 'debited', allotment, purchased}
-- Writes the call's state; for a release the bucket it came from, unless the allotment has been
-- reset since; for a late debit what admit_call writes.

local completed = ARGV[8] == 'completed'
local known = redis.call('GET', KEYS[9])
local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end

local function reply(status)
  return { status, account.allotment, account.purchased }
end

local function settled(allotment_delta, purchased_delta, type)
  append(account, type, allotment_delta, purchased_delta, ARGV[5], ARGV[8], ARGV[6], ARGV[9],
    ARGV[11])
end

local function debit_late()
  debit(account, KEYS[9], ARGV[7], 'k', 'lu', 'ledger_unreachable', ARGV[6], ARGV[5], ARGV[11])
  settled(0, 0, 'call_settled')
  return reply('debited')
end

if not known then
  if completed and ARGV[10] == '1' then return debit_late() end
  -- Completed, but as far as is known not by us. Should a decision turn up, it is debited then.
  local state = completed and 'e' or 'c'
  redis.call('SET', KEYS[9], state .. 'Dlun0 ' .. explain(account, false), 'EX', ARGV[7])
  settled(0, 0, 'call_settled')
  return reply('closed')
end

if string.sub(known, 1, 1) ~= 'o' then return reply('repeated') end

local answered, debited = string.sub(known, 2, 2) == 'A', string.sub(known, 6, 6) == '1'
local function close_as(state)
  redis.call('SET', KEYS[9], state .. string.sub(known, 2), 'KEEPTTL')
end

if completed and answered and not debited then return debit_late() end
if completed or not debited then
  close_as(debited and 'k' or 'c')
  settled(0, 0, 'call_settled')
  return reply(debited and 'kept' or 'closed')
end

release(account, known, ARGV[5], ARGV[8], ARGV[6], ARGV[9], ARGV[11])
close_as('r')
return reply('released')
