-- Months of usage that overlap would count a unit in one of them and let go of it with the other. The ranges of partitions cannot overlap in Postgres either;
-- this holds for the table that says what they are, by which retention works.
alter table usage_partitions add constraint usage_partitions_apart exclude using gist (tstzrange(starts, ends) with &&);
