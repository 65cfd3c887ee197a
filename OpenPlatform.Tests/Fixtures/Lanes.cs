using OpenPlatform.Tests.Fixtures;
using Xunit.v3;

[assembly: CollectionBehavior(typeof(OneAtATime))]

namespace OpenPlatform.Tests.Fixtures;

/// <summary>
/// A test class has the machine to itself: most of them run several real servers, and some measure, which two cores allow one after the other.
/// Only two collections run beside each other, because both of them wait for other programs most of the time: the systems that are started by
/// their command (<see cref="EndToEnd.AppHostProcess.Collection"/>), each a tree of processes apart from this one, and <see cref="Beside"/>.
/// </summary>
public sealed class OneAtATime(IXunitTestAssembly assembly) : TestCollectionFactoryBase(assembly)
{
    public override string DisplayName => "one at a time";

    protected override IXunitTestCollection GetDefaultTestCollection(Type testClass) =>
        new XunitTestCollection(TestAssembly, collectionDefinition: null, disableParallelization: true, $"Test collection for {testClass.FullName}");
}

/// <summary>
/// Classes that run, one after the other, beside the systems that are started by their command. They measure no time in which those could be in
/// the way, listen to nothing that the whole process shares, change nothing of its environment, and build nothing in the repository.
/// </summary>
[CollectionDefinition(Name)]
public sealed class Beside
{
    public const string Name = "beside the systems that are started";
}
