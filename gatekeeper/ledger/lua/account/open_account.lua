-- Open an account. Opening it again changes nothing.
-- KEYS[9] the shard's accounts
-- ARGV[5] name   ARGV[6] email   ARGV[7] timezone   ARGV[8] allotment   ARGV[9] anchor, ms
-- ARGV[10] interval   ARGV[11] and [12] start and end of the period that contains now, ms
-- ARGV[13] threshold   ARGV[14] top-off amount   ARGV[15] detail of the entry
-- Replies {'opened' | 'exists'}
-- Writes the account and its profile, its id among the shard's accounts, one entry; owes the
-- turn of the cycle if there is an allotment.

if redis.call('EXISTS', ACCOUNT) == 1 then return { 'exists' } end
redis.call('HSET', ACCOUNT, 'purchased', 0, 'allotment', ARGV[8], 'topoff_on', 0,
  'threshold', ARGV[13], 'topoff_amount', ARGV[14], 'cycle_no', 1,
  'allotment_size', ARGV[8], 'cycle_granted', ARGV[8], 'cycle_start_ms', ARGV[11], 'created_at_ms', NOW)
redis.call('HSET', PROFILE, 'name', ARGV[5], 'email', ARGV[6], 'timezone', ARGV[7],
  'anchor_ms', ARGV[9], 'interval', ARGV[10])
redis.call('SADD', KEYS[9], ID)
local account = read_account()
append(account, 'account_opened', account.allotment, 0, ID, 'opened', '', ARGV[15])
if account.allotment > 0 then end_cycle_at(ARGV[12]) end
return { 'opened' }
