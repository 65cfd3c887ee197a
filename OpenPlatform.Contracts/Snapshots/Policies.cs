namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// What the gateway does for one API version beyond routing. One optional member for each capability, null = off. Each record
/// stands beside its validation in a file of its own. (The JSON source generator forgets initializers of init members: optional
/// members are nullable, or constructor parameters with a default.)
/// </summary>
public sealed record ApiPolicies;

/// <summary>What differs for one operation; a member that is null leaves what the API says.</summary>
public sealed record OperationPolicies;
