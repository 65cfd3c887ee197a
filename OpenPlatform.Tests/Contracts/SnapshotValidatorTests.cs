using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

public sealed class SnapshotValidatorTests
{
    [Fact]
    public void An_empty_snapshot_is_valid() => Assert.Empty(SnapshotValidator.Validate(Snapshot.Empty));
}
