-- Write down that a person was sent to Checkout, and owe a look at how it ended, should no news of
-- it come. Doing it again changes nothing.
-- KEYS[9] checkout
-- ARGV[5] checkout id   ARGV[6] 'payment' or 'setup'   ARGV[7] Checkout Session   ARGV[8] customer
-- ARGV[9] credits   ARGV[10] amount, minor units   ARGV[11] currency; all '' for a setup
-- ARGV[12] when to look, ms   ARGV[13] who begins it
-- Replies {'unknown_account' | 'opened' | 'repeated'}

if redis.call('EXISTS', ACCOUNT) == 0 then return { 'unknown_account' } end
local known = redis.call('HMGET', KEYS[9], 'state', 'started_at_ms')
if known[2] or known[1] == 'succeeded' then return { 'repeated' } end
redis.call('HSET', KEYS[9], 'account', ID, 'mode', ARGV[6], 'session', ARGV[7],
  'customer', ARGV[8], 'credits', ARGV[9], 'amount_minor', ARGV[10], 'currency', ARGV[11],
  'started_at_ms', NOW, 'state', 'open', 'by', ARGV[13])
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
-- News may have been faster: then it is looked into sooner.
if not known[1] then owe('checkout:' .. ARGV[5], ARGV[12]) end
return { 'opened' }
