-- End a top-off whose charge certainly did not happen (R8). Opens an incident and blocks auto
-- top-off, unless auto top-off was switched off meanwhile, or the card was replaced: then the new
-- card is tried instead.
-- KEYS[9] top-off
-- ARGV[5] top-off id   ARGV[6] PaymentIntent or ''   ARGV[7] reason   ARGV[8] decline code or ''
-- ARGV[9] '1': never try this card again
-- ARGV[10..] cool-downs, s: after the n-th failure in a row an automatic attempt is allowed again
--   once the n-th has passed; none left, none allowed
-- Replies {'unknown_topoff' | 'failed' | 'failed_quietly' | 'repeated' | 'mismatch' | 'bad_move'}
-- Writes the top-off, the account, the incident, one entry; owes the e-mail and the look after a
-- cool-down; strikes off the charge.

local account = read_account()
local f = redis.call('HMGET', KEYS[9], 'state', 'payment_intent', 'payment_method', 'credits',
  'amount_minor', 'currency')
local state = f[1]
if not account or not state then return { 'unknown_topoff' } end
if account.cycle_over then return cycle_over() end
if state == 'failed' or state == 'succeeded' or state == 'canceled' then return { 'repeated' } end
if not may_move(state, 'failed') then return { 'bad_move' } end
if ARGV[6] ~= (f[2] or '') then return { 'mismatch' } end
local reason = ARGV[7]

redis.call('HSET', KEYS[9], 'state', 'failed', 'finished_at_ms', NOW, 'reason', reason,
  'decline_code', ARGV[8])
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
redis.call('HDEL', ACCOUNT, 'topoff', 'topoff_state')
account.topoff, account.topoff_state = '', ''
append(account, 'topoff_failed', 0, 0, ARGV[5], reason, '', f[5] and f[5] .. ' ' .. f[6] or '')
strike('charge:' .. ARGV[5])

if not account.topoff_on then return { 'failed_quietly' } end
local card = redis.call('HGET', PROFILE, 'payment_method')
if card and card ~= (f[3] or '') then
  look(account)
  return { 'failed_quietly' }
end
if card and ARGV[9] == '1' then redis.call('HSET', PROFILE, 'card_refused', ARGV[8]) end

redis.call('DEL', INCIDENT)
redis.call('HSET', INCIDENT, 'id', ARGV[5], 'account', ID, 'topoff', ARGV[5], 'reason', reason,
  'credits', f[4], 'amount_minor', f[5] or '', 'currency', f[6] or '', 'decline_code', ARGV[8],
  'at_ms', NOW)
redis.call('HSET', ACCOUNT, 'incident', ARGV[5], 'blocked_by', reason)
redis.call('HDEL', ACCOUNT, 'retry_at_ms', 'drop_told')
local cool_down_s = ARGV[9 + redis.call('HINCRBY', ACCOUNT, 'retries', 1)]
if cool_down_s then
  local retry_at_ms = tonumber(NOW) + tonumber(cool_down_s) * 1000
  redis.call('HSET', ACCOUNT, 'retry_at_ms', retry_at_ms)
  owe('look:' .. ID, retry_at_ms)
end
notify('topoff_failed', 'reason', reason, 'credits', f[4], 'amount_minor', f[5] or '',
  'currency', f[6] or '', 'balance', account.balance)
return { 'failed' }
